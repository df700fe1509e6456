# The API: public unless `public` or `require_token` says otherwise. README.md says what that means.

check "api_is_closed" {
  assert {
    condition     = local.deployed == 0 || !var.public || var.require_token
    error_message = "The API is open: anybody who knows its address can append rows to raw and keep refreshes running, which this project pays for. To close it, set require_token = true."
  }
}

resource "google_cloud_run_v2_service" "api" {
  count               = local.deployed
  name                = "warehouse-api"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = false
  depends_on = [
    google_project_service.needed,
    google_secret_manager_secret_iam_member.api_token,
    google_secret_manager_secret_iam_member.prefect_auth,
  ]

  template {
    service_account = google_service_account.api.email
    timeout         = "600s"

    scaling {
      min_instance_count = 0
      max_instance_count = 4
    }

    containers {
      image = var.image

      ports {
        container_port = 8080
      }
      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
      }

      env {
        name  = "WAREHOUSE_URL"
        value = local.warehouse_url
      }
      env {
        name  = "PREFECT_API_URL"
        value = var.prefect_api_url
      }
      env {
        name  = "API_DEPLOYMENT"
        value = "${var.refresh_project}/warehouse-cloud-run"
      }
      env {
        name  = "API_TRUSTED_PROXIES" # nobody but Google's front end can connect, and it names the client
        value = "*"
      }
      env {
        name  = "REFRESH_PROJECT"
        value = var.refresh_project
      }
      dynamic "env" {
        for_each = merge(local.prefect_auth, var.require_token ? { API_TOKEN = "api-token" } : {})
        content {
          name = env.key
          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }

      startup_probe {
        period_seconds    = 5
        failure_threshold = 24
        http_get {
          path = "/health/live"
        }
      }
      liveness_probe {
        period_seconds = 30
        http_get {
          path = "/health/live"
        }
      }
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  count    = var.public ? local.deployed : 0
  name     = google_cloud_run_v2_service.api[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = "allUsers"
}
