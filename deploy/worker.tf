# Prefect's worker: it asks Prefect for runs, and starts a Cloud Run job for each. It serves nothing, so it is a worker
# pool and not a service: https://cloud.google.com/run/docs/deploy-worker-pools

resource "google_cloud_run_v2_worker_pool" "worker" {
  count               = local.deployed
  name                = "warehouse-worker"
  location            = var.region
  deletion_protection = false
  depends_on = [
    google_project_service.needed,
    google_secret_manager_secret_iam_member.prefect_auth,
  ]

  scaling {
    manual_instance_count = 1
  }

  template {
    service_account = google_service_account.worker.email

    containers {
      image   = var.image
      command = ["prefect"]
      args    = ["worker", "start", "--type", "cloud-run-v2", "--pool", "${var.refresh_project}-cloud-run"]

      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
      }

      env {
        name  = "PREFECT_API_URL"
        value = var.prefect_api_url
      }
      dynamic "env" {
        for_each = local.prefect_auth
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
    }
  }
}
